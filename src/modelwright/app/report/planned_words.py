"""The words of the section on the plan in Chinese."""

from __future__ import annotations

PLANNED = {
    "Plan": "计划",
    "What was said before anything ran, and what came of it.": "运行之前的预计，以及实际的结果。",
    "Four times the parameters, a closed form without a bound:": "四倍参数量（闭式估计，无上界）：",
    "Quantity": "项目",
    "Planned": "预计",
    "Bounds": "上下界",
    "Happened": "实际",
    "Peak memory": "内存峰值",
    "Peak of training": "训练时的峰值",
    "Peak of validation": "验证时的峰值",
    "Peak of saving": "保存时的峰值",
    "Peak of evaluation": "评估时的峰值",
    "Peak of trial": "试跑时的峰值",
    "Time of a step": "每步用时",
    "Time of the training": "训练用时",
    "Energy of the training": "训练能耗",
    "CO2 of the training": "训练碳排放",
    "Money for the training": "训练费用",
    "Memory over a step by what holds it, in MiB": "一步之内各类占用的内存（MiB）",
    "operation after operation": "依次执行的运算",
    "parameters": "参数",
    "gradients": "梯度",
    "optimiser": "优化器",
    "copies": "副本",
    "activations": "激活",
    "logits": "输出层",
    "workspace": "算子工作区",
    "Peak in MiB against milliseconds a step; the large one was taken, none beats those on the line (point at one for energy and money)": (
        "各候选的峰值（MiB）与每步毫秒数（指向圆点可见能耗与费用）；大点为所选，线上各点无一被全面超过"
    ),
    "What a step spends its time on": "一步的时间用在哪里",
    "Known by shape alone, without a workspace:": "仅由形状得知、不含工作区：",
}
