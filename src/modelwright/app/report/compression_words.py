"""The words of the section on compression in Chinese."""

from __future__ import annotations

COMPRESSION = {
    "Compression": "压缩",
    "What each step did to the model, measured on the validation part against the model before it.": (
        "每一步对模型的影响，均在验证集上与前一步的模型对比测得。"
    ),
    "Step": "步骤",
    "before any step": "任何步骤之前",
    "quantise": "量化",
    "prune": "剪枝",
    "low_rank": "低秩分解",
    "distil": "蒸馏",
    "export": "导出",
    "Accuracy": "准确率",
    "Decided alike": "判定一致",
    "Calibration error": "校准误差",
    "Size": "大小",
    "One answer": "回答一个",
    "32 answers": "回答 32 个",
    "CPU, 1000 answers": "千次回答的 CPU 时间",
    "Energy, 1000 answers": "千次回答的能耗",
    "Operations": "运算量",
    "{change} points ({low} to {high})": "{change} 个百分点（{low} 至 {high}）",
    "{ratio} times faster": "速度为 {ratio} 倍",
    "{ratio} times smaller": "为 1/{ratio}",
    "{ratio} times less": "为其 1/{ratio}",
    "Accuracy and agreement are against the step before; sizes, times and energy against the model that was trained. Models were "
    "timed in turn.": "准确率与判定一致率与前一步相比；大小、时间与能耗与训练所得的模型相比。各模型轮流计时。",
    "Energy": "能耗",
    "Accuracy against size": "准确率与大小",
    "Accuracy against time": "准确率与时间",
    "KiB of weights": "权重的 KiB 数",
    "milliseconds for one answer (median)": "回答一个样本的毫秒数（中位数）",
    "Accuracy of each class and group": "各类别与各组的准确率",
    "Class or group": "类别或组",
    "Those that lost most come first; below each number, its change in this step.": "损失最多的排在最前；每个数下方为这一步中的变化。",
    "{number} more classes and groups": "另有 {number} 个类别与组",
    "Gaps between groups": "组间差距",
    "Gap": "差距",
}
