"""The words of the section on the search in Chinese."""

from __future__ import annotations

TUNING = {
    "Tuning": "调优",
    "What was tried, judged on the validation part alone, and what was chosen.": "尝试过的设置（仅在验证集上评判）与所选的设置。",
    "Chosen": "所选",
    "The recipe that follows is the one that was written, with these values.": "后续各阶段使用原配方并代入这些取值。",
    "Models": "模型",
    "Model": "模型",
    "Trials": "试验",
    "Trial": "试验",
    "State": "状态",
    "Epochs": "轮数",
    "Seconds": "用时",
    "Settings": "设置",
    "Best value": "最好的值",
    "Value of each trial, and the best so far": "每次试验的值，以及到那时为止最好的值",
    "trial": "试验",
    "finished": "完成",
    "stopped": "提前停止",
    "failed": "失败",
    "best so far": "目前最好",
    "What mattered": "什么起了作用",
    "Share of the variance between finished trials that a key explains by itself (fANOVA); only keys that every trial has.": (
        "各键单独解释的完成试验间方差的份额（fANOVA）；仅含每次试验都有的键。"
    ),
    "Not known": "未知",
    "{number} more trials": "另有 {number} 次试验",
}
