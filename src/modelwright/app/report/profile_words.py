"""The fixed words of the profile of the data in Chinese."""

from __future__ import annotations

PROFILE = {
    "Profile": "数据概况",
    "Rows": "行",
    "What the data is, as it was read and before any row was taken out.": "数据读入之后、任何行被剔除之前的样貌。",
    "Bars are the training part, lines the other parts, each as a share of its part.": (
        "柱为训练集，横线为其他部分，均为占该部分的比例。"
    ),
    "missing": "缺失",
    "distinct": "不同取值",
    "least": "最小",
    "median": "中位数",
    "most": "最大",
    "mean": "均值",
    "deviation": "标准差",
    "number": "数值",
    "category": "类别",
    "date": "日期",
    "picture": "图像",
    "text": "文本",
    "empty": "空",
    "brightness": "亮度",
    "characters": "字符数",
    "value": "取值",
    "distance from the training part": "与训练集的距离",
    "a drift": "有漂移",
    "Personal data": "个人数据",
    "Rows with personal data: {rows}": "含个人数据的行：{rows}",
    "by its name, this column tells who somebody is": "从列名看，此列可识别个人",
    "No personal data was found by pattern; names of people are not looked for.": "未按模式发现个人数据；不查找人名。",
    "Cover it with task.clean.redact, or leave the column out.": "可用 task.clean.redact 遮盖，或不使用该列。",
    "email": "电子邮箱",
    "phone": "电话",
    "id_number": "身份证号",
    "bank_card": "银行卡号",
    "address": "地址",
    "Rows whose content an earlier row has: {number}": "内容与前面某行相同的行：{number}",
    "Every row is there once.": "没有重复的行。",
    "What goes together": "相关程度",
    "Numbers by their ranks, categories by Cramér's V, a number and a category by the share of its spread between groups (its root).": (
        "数值之间按秩相关，类别之间按克拉默 V，数值与类别按组间离差占比的平方根。"
    ),
    "sizes of the files": "文件中的尺寸",
    "modes of the files": "文件中的模式",
    "height × width × channels as used": "使用时的高 × 宽 × 通道",
    "mean of each channel": "各通道均值",
    "deviation of each channel": "各通道标准差",
    "pictures of one colour": "单色图像",
    "{number} classes; the most frequent, {most}, is {ratio} times as frequent as the rarest, {least}": (
        "{number} 个类别；最常见的 {most} 是最罕见的 {least} 的 {ratio} 倍"
    ),
    "{number} more columns": "另有 {number} 列",
    "The same for machines, as Croissant JSON-LD, is croissant.json in the dataset.": (
        "供机器读取的同一内容（Croissant JSON-LD）为数据集中的 croissant.json。"
    ),
}
