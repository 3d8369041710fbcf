"""Pictures in another style, and how two players stand, in Chinese."""

from __future__ import annotations

RESTYLED = {
    "Pictures": "图片",
    "What the generator makes of pictures that it has not learnt from.": "生成器对未学过的图片所作的变换。",
    "What augmentation makes of training pictures: can a person still tell what they are?": (
        "数据增强对训练图片所作的变换：人还能认出是什么吗？"
    ),
    "Augmented": "数据增强",
    "Training pictures, a row each: as they are, then as augmentation changed them.": "训练图片，每行一张：先是原图，其余是增强之后。",
    "Test pictures; columns from left to right: {columns}.": "测试图片；各列自左至右：{columns}。",
    "Validation pictures, a row each: as they are, then after step {steps}.": (
        "验证图片，每行一张：先是原图，然后依次是第 {steps} 步之后。"
    ),
    "The outputs collapse: they differ from each other by {share_diversity} of what their contents do.": (
        "输出发生坍缩：彼此之间的差异只有其内容之间差异的 {share_diversity}。"
    ),
    "The players are unequal: the discriminator is right about {share_right} of what it sees, and the generator learns "
    "little from it.": "双方失衡：判别器对所见的 {share_right} 判断正确，生成器从中学不到多少。",
    "The players are unequal: the discriminator is right about {share_right} of what it sees, less than by guessing, and "
    "has nothing to teach.": "双方失衡：判别器只对所见的 {share_right} 判断正确，不如随机猜测，无可传授。",
}

RESTYLED_MEASURES = {
    "l1": ("Absolute error", "绝对误差"),
    "ssim": ("Structural similarity", "结构相似度"),
    "perceptual": ("Perceptual distance", "感知距离"),
    "kid": ("Kernel distance (KID)", "核距离 (KID)"),
    "style_distance": ("Style distance", "风格距离"),
    "style_distance_ratio": ("Style distance, as a share of the input's", "风格距离与原图之比"),
    "taken_for_style": ("Taken for the style", "被认作该风格"),
    "edge_f1": ("Edges kept (F1)", "边缘保留 (F1)"),
}
