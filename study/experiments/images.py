def numbers(data):
    return {"photographs": (2000, 345), "excerpt": (9453, 1933), "cifar": (99920, 19977)}[data]
