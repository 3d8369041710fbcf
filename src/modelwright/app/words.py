"""What the command line says, in English and Chinese. English is the key; what has no translation stays English."""

from __future__ import annotations

import os
import re

CHINESE = {
    "rows forgotten": "已遗忘的行",
    "copies in the data": "数据中的副本",
    "the list": "名单",
    "removed": "已删除",
    "take it out of the raw data too": "请同时从原始数据中删除",
    "looking at the data": "查看数据",
    "tune": "调优",
    "processes": "进程",
    "trial": "试验",
    "value": "值",
    "state": "状态",
    "settings": "设置",
    "seconds": "秒",
    "best": "最好",
    "running": "进行中",
    "finished": "完成",
    "stopped": "提前停止",
    "failed": "失败",
    "prepare": "准备",
    "plan": "计划",
    "tracing the training": "追踪训练",
    "nothing to plan": "无可计划",
    "peak memory": "内存峰值",
    "at most": "至多",
    "training": "训练",
    "saving": "保存",
    "evaluation": "评估",
    "time of a step": "每步用时",
    "time of the training": "训练用时",
    "energy": "能耗",
    "CO2 equivalent": "二氧化碳当量",
    "money": "费用",
    "runner-up": "次选",
    "closed form, no bound": "闭式估计，无上界",
    "known by shape alone": "仅由形状得知",
    "train": "训练",
    "compress": "压缩",
    "evaluate": "评估",
    "explain": "解释",
    "audit": "审计",
    "prove_resume": "证明续训",
    "release": "发布",
    "report": "报告",
    "loss": "损失",
    "validation": "验证",
    "steps/s": "步/秒",
    "left": "剩余",
    "memory": "内存",
    "error": "错误",
    "expected": "应为",
    "next": "下一步",
    "answering the test part": "对测试集作答",
    "measuring": "计算指标",
    "reading the test part": "读测试集",
    "writing samples": "写样例文本",
    "the floor: 5-gram Kneser-Ney": "基线：5 元 Kneser-Ney",
    "taking parts away at random": "以随机顺序去除各部分",
    "fitting a surrogate": "拟合代理模型",
    "attributing": "归因",
    "projecting": "投影",
    "diagnosing the training": "诊断训练",
    "nothing to do: made already": "无需重做：已有结果",
    "in the part": "所在部分：",
    "in no part": "不在任何部分",
    "dropped": "已剔除",
    "reported": "已报告",
    "changed": "已更改",
    "cleaning": "清洗",
    "preparing train": "准备训练集",
    "preparing validation": "准备验证集",
    "preparing test": "准备测试集",
    "the recipe is good": "配方正确",
    "the release is": "发布包",
    "the report is": "报告",
    "the machine file is": "机器文件",
    "note": "说明",
    "nothing is overdue": "没有逾期项",
    "still to be filled in": "仍需填写",
    "nobody is named who answers for the model": "未写明由谁对模型负责",
    "it is not said what the model is for": "未写明模型的用途",
    "nobody is named who allows the release": "未写明由谁批准发布",
    "reading": "读取",
    "gate": "门槛",
    "holds": "通过",
    "does not hold": "未通过",
    "try": "试试",
    "intact, signer unknown": "完好，签名者未知",
    "intact, signed by the holder of the given key": "完好，由所给密钥的持有者签名",
    "stopped as asked": "已按要求停止",
    "stopped at once": "已立即停止",
    "equal in every byte": "逐字节相同",
    "equal in what is counted": "计数一致",
    "killed": "已杀死",
    "different": "不同",
    "would run": "将运行",
    "made already": "已有结果",
    "serving at": "服务地址",
    "requests": "请求",
    "a picture, not kept": "一张图片，未保存",
    "signer unknown": "签名者未知",
    "signed by the holder of the given key": "由所给密钥的持有者签名",
    "This key is shown once; only its digest is kept.": "此密钥只显示一次；只保存其摘要。",
}


def language() -> str:
    """Return 'zh' or 'en', from the environment as other programs read it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def say(text: str) -> str:
    """Return a text in the user's language; a text that starts with a known word keeps its rest."""
    if language() == "en":
        return text
    if text in CHINESE:
        return CHINESE[text]
    match = re.match(r"(\w+)( .*)", text)
    return CHINESE.get(match[1], match[1]) + match[2] if match else text
