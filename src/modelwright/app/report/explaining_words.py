"""The words of the section on explanations, and in Chinese."""

from __future__ import annotations

METHODS = {
    "occlusion": "Occlusion",
    "shapley": "Shapley values",
    "permutation": "Permutation importance",
    "integrated_gradients": "Integrated gradients",
    "grad_cam": "Grad-CAM",
    "attention_rollout": "Attention rollout",
    "pca": "PCA",
    "tsne": "t-SNE",
    "umap": "UMAP",
}
NOTES = {
    "occlusion": "How far the probability of the answer falls when one part is hidden.",
    "shapley": "The mean share of each part in the probability of the answer, over random orders of showing them.",
    "permutation": "How far accuracy falls on the validation part when one column is dealt out anew: of the whole model, not of one "
    "answer.",
    "integrated_gradients": "The gradient of the answer's score, summed along the way from a neutral input to this one.",
    "grad_cam": "Where the last convolution speaks for the answer.",
    "attention_rollout": "How attention mixes the tokens through all layers. It is the same for every class, and no cause of the "
    "answer.",
}
EXPLAINING = {
    "Explanations": "解释",
    "Why the model answers as it does, and whether what is said of that can be believed.": (
        "模型为何如此作答，以及这些说法是否可信。"
    ),
    "Features of a layer in two dimensions": "某一层特征的二维图",
    "Layer": "层",
    "Trustworthiness {trust}. Of {n} validation examples, {share} lie among neighbours of their own class (between {low} and "
    "{high}); among all features of the layer it is {layer}.": (
        "可信度 {trust}。{n} 个验证样本中有 {share} 的近邻多为同类（介于 {low} 与 {high} 之间）；在该层全部特征中为 {layer}。"
    ),
    "The two directions hold {share} of the variance.": "这两个方向包含 {share} 的方差。",
    "What single answers rest on": "单个回答的依据",
    "Teal speaks for the answer, orange against it, grey takes no side; the strongest part has the full colour.": (
        "青色支持该回答，橙色反对，灰色不表示立场；最强的部分颜色最深。"
    ),
    "worst example": "最差样本",
    "typical example": "典型样本",
    "validation row {row}": "验证集第 {row} 行",
    "as it is": "原样",
    "{answer}, {probability} sure": "{answer}，把握 {probability}",
    "Sanity checks": "合理性检验",
    "Measured on {n} validation examples. What fails here should not be believed, however good it looks.": (
        "在 {n} 个验证样本上测得。未通过检验的解释，再好看也不应相信。"
    ),
    "passes": "通过",
    "fails": "未通过",
    "Check": "检验",
    "Parts taken away": "逐步去除",
    "Parts put back": "逐步恢复",
    "weightiest first": "按权重从大到小",
    "random orders": "随机顺序",
    "share of parts": "部分所占份额",
    "Layer: {layer}.": "层：{layer}。",
    "Worth of each column to the whole model": "各列对整个模型的价值",
    "Column": "列",
    "Accuracy lost": "准确率损失",
    "Surrogate": "代理模型",
    "The model": "模型",
    "The model before compress": "压缩之前的模型",
    "Share of {n} validation examples on which the surrogate decides as the model; always the most frequent decision: {floor}.": (
        "在 {n} 个验证样本上，代理模型与模型决定一致的份额；若总取最常见的决定则为 {floor}。"
    ),
    "Fidelity": "保真度",
    "Leaves": "叶数",
    "Features": "特征数",
    "pruned": "剪枝之后",
    "before pruning": "剪枝之前",
    "linear": "线性",
    "Rules": "规则",
    "{share} of {rows} examples": "{rows} 个样本中的 {share}",
    "{number} more lines": "另有 {number} 行",
    "Weights": "权重",
    "Features are brought to mean 0 and deviation 1, so that their weights can be compared.": (
        "特征已化为均值 0、标准差 1，因此权重可以比较。"
    ),
    "Occlusion": "遮挡法",
    "Shapley values": "沙普利值",
    "Permutation importance": "置换重要性",
    "Integrated gradients": "积分梯度",
    "Grad-CAM": "Grad-CAM",
    "Attention rollout": "注意力展开",
    "PCA": "主成分分析 PCA",
    "t-SNE": "t-SNE",
    "UMAP": "UMAP",
    NOTES["occlusion"]: "遮住某一部分时，该回答的概率下降多少。",
    NOTES["shapley"]: "以随机顺序逐个显示各部分时，每一部分对该回答概率的平均贡献。",
    NOTES["permutation"]: "在验证集上打乱某一列时准确率下降多少：针对整个模型，而非某一个回答。",
    NOTES["integrated_gradients"]: "沿中性输入到该输入的直线，对该回答得分的梯度求和。",
    NOTES["grad_cam"]: "最后一个卷积层在何处支持该回答。",
    NOTES["attention_rollout"]: "各层注意力合在一起如何混合词元。它对所有类别都相同，并不是作答的原因。",
    "Taking away what weighs most, the answer falls faster than in random orders": (
        "先去除权重最大的部分，回答下降得比随机顺序更快"
    ),
    "Putting back what weighs most, the answer rises faster than in random orders": (
        "先恢复权重最大的部分，回答上升得比随机顺序更快"
    ),
    "Unlike the explanation of models that learnt nothing (0: as unlike as chance, 1: the same)": (
        "与什么都没学到的模型的解释不同（0：与随机一样不同，1：完全相同）"
    ),
    "Adds up to the change that it explains (share missed)": "各部分之和等于所解释的变化（缺失的份额）",
}
