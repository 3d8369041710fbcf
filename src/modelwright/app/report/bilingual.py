"""Every fixed word of the page in English and Chinese. English is the key; the page holds both and shows one."""

from __future__ import annotations

from markupsafe import Markup, escape

from .compression_words import COMPRESSION
from .explaining_words import EXPLAINING
from .fairness_words import FAIRNESS
from .feedback import WORDS
from .findings import FINDINGS
from .guard_words import GUARD
from .planned_words import PLANNED
from .privacy_words import PRIVACY
from .profile_words import PROFILE
from .restyled_words import RESTYLED, RESTYLED_MEASURES
from .tuning_words import TUNING

CHINESE = {
    # The frame of the page.
    "Run report": "运行报告",
    "Skip to the content": "跳到正文",
    "Language": "语言",
    "Colours": "配色",
    "Light": "浅色",
    "Dark": "深色",
    "Sections": "章节",
    "Damaged": "有损坏",
    "What could not be read, or is not what it was": "无法读取或已被改动的内容",
    "This page was made by modelwright from the files of the run folder alone.": (
        "本页由 modelwright 仅根据运行文件夹中的文件生成。"
    ),
    "Numbers show four significant digits; intervals are those of the evidence.": (
        "数值保留四位有效数字；区间取自证据记录。"
    ),
    "All times are UTC.": "所有时间均为 UTC。",
    # The verdict.
    "Release refused": "发布被拒绝",
    "Released": "已发布",
    "Not finished": "未完成",
    "Not released yet": "尚未发布",
    "No release asked for": "未要求发布",
    "{failed} of {total} gates do not hold. No release was made.": (
        "{total} 道门槛中有 {failed} 道未通过，没有生成发布包。"
    ),
    "{total} of {total} gates hold; signed.": "{total} 道门槛全部通过；已签名。",
    "Signed; the recipe asked for no gate.": "已签名；配方未设门槛。",
    "The stage {stage} stopped: {reason}": "阶段 {stage} 中止：{reason}",
    "The run has not come to the stage release.": "运行尚未到达发布阶段。",
    "The recipe has no section release.": "配方中没有 release 一节。",
    "found": "实测",
    "needed": "要求",
    "no evidence": "无证据",
    # The summary.
    "Examples": "样本数",
    "Parameters": "参数量",
    "Size": "大小",
    "Training time": "训练用时",
    "Date": "日期",
    "Model digest": "模型摘要",
    "{train} train · {validation} validation · {test} test": "训练 {train} · 验证 {validation} · 测试 {test}",
    "{confidence} interval": "{confidence} 区间",
    "on the test part": "测试集上",
    "on the validation part, which chose the model": "验证集上（模型由它选出）",
    "of the weights file": "权重文件",
    "{steps} steps": "{steps} 步",
    "Limits": "适用限度",
    "Owner": "负责人",
    "Licence": "许可",
    "Nothing was measured yet": "尚无测量结果",
    "The run has not come to training or evaluation.": "运行尚未到达训练或评估。",
    # Gates.
    "Gates": "门槛",
    "What the evidence must show before anything is released.": "发布之前证据必须达到的条件。",
    "holds": "通过",
    "does not hold": "未通过",
    "These gates were judged on another model, {model}.": "这些门槛是对另一个模型 {model} 判定的。",
    "Asked for, not judged yet": "已要求，尚未判定",
    # Metrics.
    "Metrics": "指标",
    "Each value with its interval, measured on the test part, which is opened once per model.": (
        "每个数值及其区间，均在测试集上测得；每个模型只打开测试集一次。"
    ),
    "Measure": "指标",
    "Interval": "区间",
    "Intervals": "区间",
    "Value": "数值",
    "Method": "方法",
    "Source": "出处",
    "higher is better": "越高越好",
    "lower is better, each on its own scale": "越低越好，各用自己的刻度",
    "other measures, each on its own scale": "其他指标，各用自己的刻度",
    "All averages": "全部平均方式",
    "Folds": "交叉验证",
    "Mean over folds with its interval; each ring is one fold.": "各折均值及区间；每个圆环代表一折。",
    "Baselines": "基线",
    "This model beside simple baseline models, on the same test part.": "本模型与简单基线模型在同一测试集上的对比。",
    "this model": "本模型",
    # Curves.
    "Training": "训练",
    "Validation": "验证",
    "How the losses fell, and which step was kept.": "损失如何下降，以及保留了哪一步。",
    "kept: step {step}": "保留：第 {step} 步",
    "logarithmic scale": "对数刻度",
    "step": "步",
    "steps": "步",
    "training loss": "训练损失",
    "validation: {measure}": "验证：{measure}",
    "Show the numbers": "显示数值",
    "The weights after step {step} were kept: the best on the validation part.": (
        "保留了第 {step} 步之后的权重：验证集上最好的一步。"
    ),
    "The weights after step {step}, the last one, were kept.": "保留了最后一步（第 {step} 步）之后的权重。",
    # Confusion.
    "Confusion": "混淆矩阵",
    "Rows are true classes, columns are answers; each cell holds a count and its share of the row.": (
        "行为真实类别，列为模型回答；每格为计数及占该行的比例。"
    ),
    "{right} of {total} right": "{total} 个中答对 {right} 个",
    "true": "真实",
    "answered": "回答",
    "true ↓ answered →": "真实 ↓ 回答 →",
    "total": "合计",
    "Most frequent mistakes": "最常见的错误",
    "of the true class": "占该真实类别",
    "right": "正确",
    "wrong": "错误",
    "No mistakes.": "没有错误。",
    "Too many classes for a matrix; the most frequent mistakes are listed.": "类别太多，不画矩阵，仅列出最常见的错误。",
    # Reliability.
    "Reliability": "可靠性",
    "Examples in bins of confidence: on the diagonal, the model is right as often as it is sure.": (
        "按置信度分箱：落在对角线上，表示模型的把握与正确率一致。"
    ),
    "Share of right answers over confidence": "正确率随置信度的变化",
    "confidence": "置信度",
    "share right": "正确率",
    "bin": "分箱",
    "examples per bin": "各箱样本数",
    # Classes.
    "Classes": "各类别",
    "Recall, precision and F1 of each class, with intervals.": "各类别的召回率、精确率与 F1（含区间）。",
    "Class": "类别",
    "The classes with the lowest values come first.": "数值最低的类别排在最前。",
    "All other classes ({number})": "其余类别（{number} 个）",
    # Samples of a language model.
    "Samples": "样例文本",
    "Written by the model: the first from nothing, the others from beginnings of test documents, which are set bold.": (
        "由模型写成：第一段从零开始，其余接在测试文档开头（粗体）之后。"
    ),
    "Hardest texts": "最难的文本",
    "The windows of the test part with the highest loss for each token: damage and blind spots show here.": (
        "测试集中每词元损失最高的窗口：损坏的文本和模型的盲点在此可见。"
    ),
    # Worst examples.
    "Worst examples": "最差样本",
    "The test examples whose true class got the lowest probability: wrong labels and blind spots show here.": (
        "真实类别概率最低的测试样本：可由此查找错误标签与模型盲区。"
    ),
    "test row {row}": "测试第 {row} 行",
    "The picture is missing or too large for this page.": "图片缺失或过大，未放入本页。",
    "more": "更多",
    # Data.
    "Data": "数据",
    "What the model learnt from and was judged on.": "模型据以学习和评判的数据。",
    "Files": "文件",
    "File": "文件",
    "rows": "行",
    "Labels": "标签",
    "Label": "标签",
    "train": "训练",
    "validation": "验证",
    "test": "测试",
    "Columns": "列",
    "{number} more labels": "另有 {number} 个标签",
    "Rows of each part": "各部分行数",
    "Bars are relative to the most frequent label of each part.": "条形长度相对于各部分中最多的标签。",
    "Quarantined rows": "隔离的行",
    "Every row could be read.": "所有行均可读取。",
    "Rows left out: {number}": "剔除的行数：{number}",
    "Where": "位置",
    "Reason": "原因",
    "Only the first {number} are shown.": "仅显示前 {number} 行。",
    "Overlap between parts": "各部分之间的重叠",
    "No row stands in two parts.": "没有任何一行出现在两个部分中。",
    "Rows that stand in two parts: {number}; policy: {policy}": "出现在两个部分中的行数：{number}；处理方式：{policy}",
    "dropped from {part}: {number}": "从{part}中剔除：{number}",
    "Suspicious columns": "可疑的列",
    "Kind": "类型",
    "Parts": "部分",
    # Lineage.
    "Lineage": "来历",
    "Every artifact by its digest: which stage made it, from what, at what cost.": (
        "每个产物及其摘要：由哪个阶段、用什么、以多少代价生成。"
    ),
    "{seconds} · CPU {cpu}": "{seconds} · CPU {cpu}",
    "Stage": "阶段",
    "Took": "输入",
    "Gave": "产出",
    "Time": "用时",
    "CPU time": "CPU 用时",
    "prepare": "准备",
    "tune": "调优",
    "evaluate": "评估",
    "compress": "压缩",
    "explain": "解释",
    "audit": "审计",
    "release": "发布",
    "serve": "服务",
    "plan": "规划",
    "dataset": "数据集",
    "model": "模型",
    "predictions": "预测",
    "evaluation": "评估结果",
    "explanation": "解释结果",
    # Recipe and evidence.
    "Recipe": "配方",
    "Every value as it was used, defaults included.": "实际使用的每个取值，含默认值。",
    "auto became": "自动取值为",
    "Where a value was left to auto": "由自动决定的取值",
    "All values": "全部取值",
    "recipe": "配方",
    "Evidence": "证据",
    "Every claim of this run, with how it was measured.": "本次运行的全部结论及其测量方法。",
    "Claim": "结论",
    "{stage}: {number} claims": "{stage}：{number} 条",
    # Journal.
    "Journal": "日志",
    "Append-only, each record bound to all before it by its hash.": "只可追加；每条记录以哈希与此前全部记录相连。",
    "Chain intact, {number} records.": "链条完好，共 {number} 条记录。",
    "The chain is broken; see the top of the page.": "链条已断；见页首。",
    "{number} earlier events": "更早的 {number} 个事件",
    "Run started: {stages}": "运行开始：{stages}",
    "{stage} finished in {seconds}": "{stage}完成，用时 {seconds}",
    "{stage}: made already": "{stage}：已有结果",
    "{stage} stopped: {reason}": "{stage}中止：{reason}",
    "Test part opened for model {model}": "为模型 {model} 打开测试集",
    "Gates judged for model {model}: {passed} of {total} hold": "判定模型 {model} 的门槛：{total} 道中 {passed} 道通过",
    "{name} became {value}: {why}": "{name} 取为 {value}：{why}",
    "Training resumed after step {step}": "训练从第 {step} 步之后恢复",
    "Damaged checkpoint found: {reason}": "发现损坏的检查点：{reason}",
    "Cleaning": "清洗",
    "dropped": "已剔除",
    "reported": "已报告",
    "changed": "已更改",
    "All rows: modelwright prepare RECIPE --explain ROW": "全部各行：modelwright prepare 配方 --explain 行",
    "Row quarantined: {origin}, {reason}": "隔离一行：{origin}，{reason}",
    "A torn journal record of {bytes} bytes was removed": "移除了一条残缺的日志记录（{bytes} 字节）",
    "Run finished": "运行结束",
    "and {number} more": "另有 {number} 条",
    **COMPRESSION,
    **FINDINGS,
    **FAIRNESS,
    **EXPLAINING,
    **GUARD,
    **PRIVACY,
    **PROFILE,
    **PLANNED,
    **RESTYLED,
    **TUNING,
    **WORDS,
}

MEASURES = {
    "accuracy": ("Accuracy", "准确率"),
    "balanced_accuracy": ("Balanced accuracy", "平衡准确率"),
    "roc_auc": ("ROC AUC", "ROC 曲线下面积"),
    "pr_auc": ("PR AUC", "PR 曲线下面积"),
    "recall_at_90_precision": ("Recall at 90 % precision", "精确率 90 % 时的召回率"),
    "log_loss": ("Log loss", "对数损失"),
    "brier": ("Brier score", "Brier 分数"),
    "calibration_error": ("Calibration error", "校准误差"),
    "energy_per_answer": ("Energy per answer", "每次回答的能耗"),
    "perplexity": ("Perplexity", "困惑度"),
    "loss": ("Loss", "损失"),
    "bits_per_character": ("Bits per character", "每字符比特数"),
    "bits_per_byte": ("Bits per byte", "每字节比特数"),
    "unknown_tokens": ("Unknown tokens", "未知词元"),
    "choice_accuracy": ("Accuracy of the most likely answer", "最可能答案的准确率"),
    "choice_accuracy_by_byte": ("Accuracy of the answer most likely for its bytes", "按字节最可能答案的准确率"),
    "choice_balanced_accuracy": ("Balanced accuracy of the most likely answer", "最可能答案的平衡准确率"),
    "choice_precision": ("Precision of the most likely answer", "最可能答案的精确率"),
    "choice_recall": ("Recall of the most likely answer", "最可能答案的召回率"),
    "choice_f1": ("F1 of the most likely answer", "最可能答案的 F1"),
    "choice_f1_macro": ("F1 of the most likely answer, mean over answers", "最可能答案的宏平均 F1"),
    "preference_accuracy": ("Pairs whose better answer is more likely", "更优答案概率更高的比例"),
    "preference_margin": ("Log-likelihood of the better answer over the other", "更优答案对数似然的优势"),
    "reward_accuracy": ("Pairs whose better answer has gained more", "更优答案增益更大的比例"),
    "reward_margin": ("Gain of the better answer over the other, times beta", "更优答案的增益优势（乘 beta）"),
    "choice_log_loss": ("Log loss of the answers", "答案的对数损失"),
    "before": ("Before training", "训练之前"),
    "gain_over_floor": ("Gain over the floor", "相对基线的提升"),
    "validation_accuracy": ("Accuracy", "准确率"),
    "validation_loss": ("Loss", "损失"),
    "precision": ("Precision", "精确率"),
    "recall": ("Recall", "召回率"),
    "f1": ("F1", "F1"),
    "precision_macro": ("Precision, macro", "精确率（宏平均）"),
    "precision_micro": ("Precision, micro", "精确率（微平均）"),
    "precision_weighted": ("Precision, weighted", "精确率（加权）"),
    "recall_macro": ("Recall, macro", "召回率（宏平均）"),
    "recall_micro": ("Recall, micro", "召回率（微平均）"),
    "recall_weighted": ("Recall, weighted", "召回率（加权）"),
    "f1_macro": ("F1, macro", "F1（宏平均）"),
    "f1_micro": ("F1, micro", "F1（微平均）"),
    "f1_weighted": ("F1, weighted", "F1（加权）"),
    **RESTYLED_MEASURES,
}

UNITS = {
    "nats": ("nats", "奈特"),
    "bits": ("bits", "比特"),
    "squared fraction": ("squared fraction", "分数的平方"),
    "fraction": ("fraction", "分数"),
    "rows": ("rows", "行"),
    "parameters": ("parameters", "个参数"),
    "steps": ("steps", "步"),
    "bytes": ("bytes", "字节"),
    "seconds": ("seconds", "秒"),
}


def say(text: str, *, svg: bool = False, **values: object) -> Markup:
    """Return a fixed text in both languages, with values put in; a text that is not fixed stays as it is, escaped.

    Inside a drawing (`svg`) the two stand in `tspan`, which is what SVG has for it.
    """
    chinese = CHINESE.get(text)
    if chinese is None:
        return escape(text)
    return both(text, chinese, svg=svg, **values)


def both(english: str, chinese: str, *, svg: bool = False, **values: object) -> Markup:
    """Return a pair of texts of which the page shows one."""
    element = Markup("tspan" if svg else "span")
    filled = [Markup(escape(text)).format(**values) if values else escape(text) for text in (english, chinese)]
    return Markup('<{0} class="en" lang="en">{1}</{0}><{0} class="zh" lang="zh-CN">{2}</{0}>').format(element, *filled)


def measure_name(name: str) -> Markup:
    """Return the name of a measure as people write it; one that is not known keeps its own."""
    return both(*MEASURES[name]) if name in MEASURES else escape(name.replace("_", " "))


def unit_name(unit: str) -> Markup:
    """Return the name of a unit."""
    return both(*UNITS[unit]) if unit in UNITS else escape(unit)
