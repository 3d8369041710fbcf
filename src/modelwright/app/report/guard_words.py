"""The fixed words of costs, security, layers and overrides in Chinese."""

from __future__ import annotations

GUARD = {
    "Costs": "代价",
    "Energy, carbon and processor time of each stage: the value, and the bounds that it lies between.": (
        "各阶段的能耗、碳排放与处理器时间：数值及其上下界。"
    ),
    "Stage": "阶段",
    "Energy": "能耗",
    "Carbon, gCO2e": "碳排放（gCO2e）",
    "Processor time": "处理器时间",
    "Measured by counters": "由计数器测得",
    "Estimated, not measured": "估计值，并非实测",
    "of each example seen in training": "训练中每个样本",
    "of each answer to the test part": "测试集上每次回答",
    "Security": "安全",
    "Whether anything in the files could run when they are opened.": "文件在打开时是否可能执行任何代码。",
    "The audit looked at {files} files that the model was made of and consists of: {refused} of them may not be opened.": (
        "审计检查了构成模型及用于制作模型的 {files} 个文件：其中 {refused} 个不属于允许打开的格式。"
    ),
    "Before the release was signed, each of its {files} files was recognised by its bytes: none can run when it is opened.": (
        "签名之前，发布包中的 {files} 个文件均已按字节识别：没有一个会在打开时执行代码。"
    ),
    "The audit was {age} old when the release was made.": "发布时，审计结果已有 {age}。",
    "The model was released without an audit.": "该模型未经审计即发布。",
    "Formats": "格式",
    "Format": "格式",
    "Refused": "被拒绝",
    "Trace of the training": "训练轨迹",
    "learning rate": "学习率",
    "gradient norm": "梯度范数",
    "weight norm": "权重范数",
    "update ratio": "更新比",
    "Each layer at step {step}: how far a step moves the weights is told as a share of their norm.": (
        "第 {step} 步时的各层：一步使权重移动多远，以其范数的比例表示。"
    ),
    "Approver": "批准人",
    "overridden by {by}": "由 {by} 覆盖",
    "{held} of {total} gates hold, {overridden} overridden by a named person; signed.": (
        "{total} 道门槛中 {held} 道通过，{overridden} 道由具名人员覆盖；已签名。"
    ),
}
