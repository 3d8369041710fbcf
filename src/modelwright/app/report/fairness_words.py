"""The section on fairness in Chinese, keyed by the English words."""

from __future__ import annotations

FAIRNESS = {
    "Fairness": "公平性",
    "What the model does to each declared group of the test part, and how far the groups lie apart.": (
        "模型对测试集中各个所声明群体的结果，以及群体之间相差多远。"
    ),
    "Called favourable: {classes}. Intervals hold with {confidence}; groups with fewer than {least} rows are named and not "
    "judged.": "视为有利的类别：{classes}。区间的置信度为 {confidence}；少于 {least} 行的群体只列名，不作评判。",
    "Gaps": "差距",
    "Demographic parity difference": "人口均等差（选择率之差）",
    "Demographic parity ratio": "人口均等比",
    "Equalised odds difference": "均等几率差",
    "Equalised odds ratio": "均等几率比",
    "Equal opportunity difference": "机会均等差",
    "Accuracy difference": "准确率差",
    "Selection rate": "选择率（判为有利的比例）",
    "True positive rate": "真阳性率",
    "False positive rate": "假阳性率",
    "Positive predictive value": "阳性预测值",
    "Accuracy": "准确率",
    "too few to judge": "人数太少，不作评判",
    "no row of this group is truly favourable": "该群体中没有真正有利的行",
    "every row of this group is truly favourable": "该群体的每一行都真正有利",
    "no row of this group was answered favourably": "该群体中没有被判为有利的行",
    "Too small to compare": "人数太少，未参与比较",
    "Rates of each group": "各群体的比率",
    "Before and after": "前后对照",
    "Mitigation": "缓解方法",
    "Thresholds, chosen on the validation part": "阈值（在验证集上选出）",
    "as it is": "现状",
    "thresholds": "按群体设阈值",
    "reweighing": "重新加权",
    "group-robust": "群体稳健目标",
    "Accuracy against the gap that was to be made small": "准确率与所要缩小的差距",
    "gap": "差距",
    "Only what is marked as it is was released; the others show what a change of the recipe would do.": (
        "发布的只有标为“现状”的模型；其余各行表示修改配方会带来什么。"
    ),
}
