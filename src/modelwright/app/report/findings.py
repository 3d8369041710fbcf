"""The diagnosis in Chinese: the sentences of every finding, keyed by the English ones that the run stores."""

from __future__ import annotations

FINDINGS = {
    "The model knows no more than how frequent each token is: loss {loss} on training examples, guessing {guessing}.": (
        "模型所知不过是各词元的频率：训练样本上的损失为 {loss}，按频率猜测为 {guessing}。"
    ),
    "The model fits the examples that it learnt from better than others: its loss on validation examples is higher by "
    "{gap} nats (between {low} and {high}).": (
        "模型在学过的样本上比在其他样本上拟合得更好：验证样本上的损失高出 {gap} 奈特（介于 {low} 与 {high} 之间）。"
    ),
    "The model knows no more than how frequent each class is: loss {loss} on training examples, guessing {guessing}.": (
        "模型所知不过是各类别的频率：训练样本上的损失为 {loss}，按频率猜测为 {guessing}。"
    ),
    "The model does little better than guessing even on examples it learnt from: loss {loss}, guessing {guessing}; and no "
    "worse on others. It is too small, or was not trained long enough.": (
        "即使在学过的样本上，模型也只比猜测略好：损失 {loss}，猜测 {guessing}；在其他样本上并不更差。"
        "模型太小，或训练时间不够。"
    ),
    "The model fits the examples that it learnt from better than others: its loss on validation examples is higher by "
    "{gap} nats (between {low} and {high}); accuracy {share_training} there, {share_validation} here.": (
        "模型在学过的样本上比在其他样本上拟合得更好：验证样本上的损失高出 {gap} 奈特（介于 {low} 与 {high} 之间）；"
        "准确率在训练样本上为 {share_training}，在验证样本上为 {share_validation}。"
    ),
    "On validation examples the model is surer than it is right, by {share_gap} on average (between {share_low} and "
    "{share_high}).": (
        "在验证样本上，模型的把握高于正确率，平均高出 {share_gap}（介于 {share_low} 与 {share_high} 之间）。"
    ),
    "On validation examples the model is right more often than it is sure, by {share_gap} on average (between {share_low} "
    "and {share_high}).": (
        "在验证样本上，模型的正确率高于把握，平均高出 {share_gap}（介于 {share_low} 与 {share_high} 之间）。"
    ),
    "The loss began at {first}, where first weights that know nothing give {expected}: the network is sure before it has "
    "seen anything.": "损失始于 {first}，而一无所知的初始权重应为 {expected}：网络在看到任何样本之前就已确信不疑。",
    "The training loss has hardly fallen: it began at {first} and its best epoch has {best}.": (
        "训练损失几乎没有下降：始于 {first}，最好的一轮为 {best}。"
    ),
    "The validation loss was still falling when training ended: {before} at step {step_before}, {last} at step "
    "{step_last}.": ("训练结束时验证损失仍在下降：第 {step_before} 步为 {before}，第 {step_last} 步为 {last}。"),
    "The validation loss turned: {best} at step {step_best}, {last} at the end (step {step_last}).": (
        "验证损失回升：第 {step_best} 步为 {best}，结束时（第 {step_last} 步）为 {last}。"
    ),
    "The validation loss turned: {best} at step {step_best}, {last} at the end (step {step_last}). The last weights were "
    "kept, not the best ones.": (
        "验证损失回升：第 {step_best} 步为 {best}，结束时（第 {step_last} 步）为 {last}。保留的是最后的权重，而非最好的。"
    ),
    "Nothing has moved since step {step_since}: the validation loss stays within {share_moved}.": (
        "自第 {step_since} 步起不再变化：验证损失的波动不超过 {share_moved}。"
    ),
    "The gradient explodes: its norm was {norm} at step {step}, and {usual} at most other steps. In a training that goes "
    "well it is about 1.": ("梯度爆炸：第 {step} 步的范数为 {norm}，其他多数步为 {usual}。训练顺利时约为 1。"),
    "{share} of the gradients looked at were clipped, most of them to a small part: the usual norm is {usual}, the limit "
    "{limit}. The limit, and no longer the loss, decides how long a step is.": (
        "所查看的梯度中有 {share} 被裁剪，且多数只剩一小部分：通常的范数为 {usual}，上限为 {limit}。"
        "决定步长的是上限，而不再是损失。"
    ),
    "The gradient vanishes on its way back: in the first layers ({first}) it is {ratio} of what it is in the last ones "
    "({last}).": "梯度在反向传播中消失：前面的层（{first}）只有最后的层（{last}）的 {ratio}。",
    "A single step changed the weights by {ratio} times their norm, and threw away what they were; about 0.001 is usual.": (
        "仅一步就使权重改变了其范数的 {ratio} 倍，原有的权重已荡然无存；通常约为 0.001。"
    ),
    "The steps are too long: one changes the weights by {ratio} of their norm, where about 0.001 is usual.": (
        "步子太大：一步使权重改变其范数的 {ratio}，通常约为 0.001。"
    ),
    "The steps are too short: even the longest changes the weights by {ratio} of their norm only, where about 0.001 is "
    "usual.": "步子太小：最大的一步也只使权重改变其范数的 {ratio}，通常约为 0.001。",
    "{share} of the ReLU units answer zero to every example looked at and learn nothing any more; the worst layer is "
    "{layer} with {share_layer}.": (
        "{share} 的 ReLU 单元对所查看的每个样本都输出零，不再学习；最严重的层是 {layer}，占 {share_layer}。"
    ),
    # Around the sentences.
    "Diagnosis": "诊断",
    "What went wrong, what may go better, and what to try next.": "哪里出了问题，哪里可以更好，以及下一步可以尝试什么。",
    "severe": "严重",
    "warning": "警告",
    "note": "提示",
    "Nothing wrong was found.": "没有发现问题。",
    "Try next": "下一步可试",
    "The kept model on examples that it learnt from, and on those that it did not": "保留的模型在学过的与未学过的样本上",
    "training examples": "训练样本",
    "validation examples": "验证样本",
    "gap": "差距",
    "Loss": "损失",
    "Accuracy": "准确率",
    "Confidence less being right": "把握减正确率",
    "Dead ReLU units": "失活的 ReLU 单元",
    "{number} examples of each part": "每部分 {number} 个样本",
    "Gradient of each layer over the steps": "各层梯度随步数的变化",
    "Light is small, dark is large, on a logarithmic scale from {low} to {high}; steps {first} to {last}.": (
        "颜色越深梯度越大，对数刻度，从 {low} 到 {high}；第 {first} 步到第 {last} 步。"
    ),
    "Layer": "层",
    "last": "最后",
}
