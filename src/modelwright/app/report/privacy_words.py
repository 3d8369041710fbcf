"""The section on privacy in Chinese, keyed by the English words."""

from __future__ import annotations

_BOUND = (
    "Of {guesses} guesses which of {canaries} canaries were in a second training, {right} were right: with {confidence} "
    "confidence epsilon is at least {bound} at delta {delta}, and {claimed} is claimed. "
)
_BOUND_CHINESE = (
    "对第二次训练中是否含有 {canaries} 个金丝雀样本作了 {guesses} 次猜测，猜对 {right} 次：在 {confidence} 置信度下，"
    "delta 为 {delta} 时 epsilon 至少为 {bound}，所声明的为 {claimed}。"
)
PRIVACY = {
    "Privacy": "隐私",
    "What the weights may tell of a single training example: claimed, and measured.": (
        "权重可能透露单个训练样本的多少信息：声明的与测得的。"
    ),
    "Epsilon at delta {delta}: the line goes from what the canaries prove to what is claimed, the dot.": (
        "delta 为 {delta} 时的 epsilon：线段从金丝雀样本所证明的值到所声明的值（圆点）。"
    ),
    "Share of the training examples that are found, with its interval; the ring is what chance finds, {chance}.": (
        "被找出的训练样本比例及其区间；圆环为凭运气所能找出的比例 {chance}。"
    ),
    "Claimed": "声明",
    "Measured": "测得",
    "Direct tests": "直接检验",
    "Test": "检验",
    "Found": "实际",
    "Expected": "应为",
    "The training was not private: nothing bounds what the weights tell of an example.": (
        "训练没有隐私保护：权重透露单个样本信息的多少没有任何上界。"
    ),
    "The weights are ({epsilon}, {delta})-differentially private: with or without any one training example, whatever may be "
    "learnt from them is at most {factor} times as probable, but for a chance of {delta}.": (
        "权重满足 ({epsilon}, {delta})-差分隐私：无论有没有某一个训练样本，从权重得出任何结论的概率至多相差 {factor} 倍，"
        "例外的概率为 {delta}。"
    ),
    "Counted by the PRV accountant of opacus {opacus}; the PLD accountant of dp-accounting {other} finds epsilon {checked} "
    "at delta {delta}. {steps} steps, sampling rate {rate}, noise {noise} times clip {clip}.": (
        "由 opacus {opacus} 的 PRV 会计计算；dp-accounting {other} 的 PLD 会计在 delta 为 {delta} 时得到 epsilon {checked}。"
        "共 {steps} 步，采样率 {rate}，噪声为裁剪上限 {clip} 的 {noise} 倍。"
    ),
    "Not covered: what preprocessing learnt (scaling, vocabulary), reported losses, and the validation part, which decides "
    "what is kept.": "不在保护之内：预处理所学（缩放、词表）、所报告的损失，以及决定保留哪些权重的验证集。",
    "{again} steps were taken again after an interruption; counting both, epsilon is {begun} at delta {delta}.": (
        "中断后有 {again} 步重新进行；两次都计入时，delta 为 {delta}，epsilon 为 {begun}。"
    ),
    "{passed} of {total} direct tests of noise, clipping, sampling and counting pass.": (
        "噪声、裁剪、采样与计数的 {total} 项直接检验中有 {passed} 项通过。"
    ),
    _BOUND + "The claim stands.": _BOUND_CHINESE + "声明成立。",
    _BOUND + "The claim is refuted.": _BOUND_CHINESE + "声明被推翻。",
    "An outsider who may be wrong about {allowed} of {others} others finds {rate} of the training examples (between {low} and "
    "{high}), by comparing with {shadows} shadow models.": (
        "外人在 {others} 个其他样本中至多误判 {allowed} 个时，通过与 {shadows} 个影子模型比较，能找出 {rate} 的训练样本"
        "（介于 {low} 与 {high} 之间）。"
    ),
    "An outsider who may be wrong about {allowed} of {others} others finds {rate} of the training examples (between {low} "
    "and {high}), by how sure the model is.": (
        "外人在 {others} 个其他样本中至多误判 {allowed} 个时，凭模型的把握能找出 {rate} 的训练样本（介于 {low} 与 {high} 之间）。"
    ),
}
