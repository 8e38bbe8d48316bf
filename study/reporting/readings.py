"""What each figure shows, by its name: in place of the picture for those who do not see it, and how to read it.

The words hold for every preset; what a preset found is said from its tables.
"""

# Name -> alternative text, and one sentence on how to read the figure.
READINGS = {
    "architecture": (
        "Layers of encoder, binarizer and decoder in a row, each a box with its kernels and output shape",
        "One pass of the network at full width: each box is a layer, with its kernel and stride, the kernel of its "
        "hidden convolution, and the size of what it makes of a 32x32 image.",
    ),
    "batch_size_quality": (
        "Report's score and MS-SSIM by epoch, one line per batch size, training beside validation",
        "The report's figure 2 made again: one colour per batch size, thin lines are seeds and bold ones their mean, "
        "diamonds the report's own values; the upper score is the report's, which flatters.",
    ),
    "batch_size_psnr": (
        "PSNR by epoch, one line per batch size, training beside validation",
        "The report's figure 3 made again: PSNR is the mean over images of each image's own, and the hollow diamond "
        "is labelled 32 in the report but was trained at 64.",
    ),
    "batch_size_protocols": (
        "Final MS-SSIM by batch size, at equal epochs, with a scaled rate, and at equal steps",
        "Compare the lines: at equal epochs a larger batch takes fewer steps, at equal steps it sees more images; "
        "large marks are means over seeds, faint dots the seeds.",
    ),
    "train_size_quality": (
        "Report's score and MS-SSIM by epoch, one line per training set, training beside validation",
        "The report's figure 4 made again: one colour per number of training images; sets larger than the data go on "
        "with the same images, turned by a quarter.",
    ),
    "train_size_psnr": (
        "PSNR by epoch, one line per training set, training beside validation",
        "The report's figure 5 made again: where a training line lies far above its validation line, the network "
        "knows its training images by heart.",
    ),
    "train_size_controls": (
        "Final MS-SSIM by number of training images, with two controls at the right",
        "The two marks at the right show as many images as the largest set: flipped ones in place of turned ones, and "
        "the originals alone for more epochs.",
    ),
    "loss_colour": (
        "PSNR, MS-SSIM and colour left after training with each loss, in two ways to train",
        "What each loss leaves of the picture and of its colour, trained in our way and in the report's; dotted is "
        "the answer of one mean image to everything.",
    ),
    "loss_pictures": (
        "The same validation images after training with each loss, one loss per row",
        "The originals are on top, and below them is what is left of the same images after training with each loss.",
    ),
    "loss_residual": (
        "The report's residual loss by epoch on a logarithmic axis, one line for each n",
        "The lines are parallel, because the n that the report set by hand divides the curve and changes nothing else.",
    ),
    "collapse_ends": (
        "Final PSNR of each of many runs, and the share that collapsed, by way to train",
        "Each dot is a run of a few epochs; the per cent beside them say how many still answer every image with the "
        "mean one.",
    ),
    "passes_rate": (
        "PSNR against bits per pixel, one line per cell and number of passes",
        "Each line is a network from its first pass to its last; the mark, with its interval, is after all passes "
        "that it was trained for.",
    ),
    "learning_rate_quality": (
        "Report's score and MS-SSIM by epoch, one line per peak learning rate, training beside validation",
        "One colour per peak learning rate of the range that the report names; thin lines are seeds, bold ones their "
        "mean.",
    ),
    "learning_rate_ends": (
        "Final PSNR and MS-SSIM by peak learning rate",
        "Where each peak learning rate of the range that the report names ends; dots are seeds, marks their mean.",
    ),
    "recipe_curves": (
        "MS-SSIM of training images set aside, by epoch, for several first weights, learning rates and batch sizes",
        "How the recipe was chosen, on training images that were set aside: the first weights and the rate that train "
        "at all batch sizes.",
    ),
    "better_samples": (
        "Images of the best tenth: original, reconstruction from 16 bytes, and JPEG",
        "From the best tenth by MS-SSIM, chosen by a rule: the original, what one pass brings back, and the JPEG of "
        "nearest payload; below stand PSNR, SSIM and the bytes of the whole file.",
    ),
    "poorer_samples": (
        "Images of the worst tenth: original, reconstruction from 16 bytes, and JPEG",
        "The same from the worst tenth: fine patterns and edges are what few bits cannot say.",
    ),
    "edges": (
        "PSNR and MS-SSIM of each validation image against its gradient energy",
        "Each dot is an image and the line joins the means of tenths: does an image with more contrast come back "
        "better?",
    ),
    "cells_rules": (
        "PSNR after each pass by cell and reconstruction rule",
        "The four cells and three reconstruction rules of Toderici et al. 2017, trained alike, on test images of CIFAR "
        "and not coded.",
    ),
    "coded_cells": (
        "PSNR against bits per pixel of each cell and rule as a codec, with and without entropy coding",
        "Networks of one seed as codecs: the bits of the coded passes, and dashed what they take as they are.",
    ),
    "kodak": (
        "PSNR and MS-SSIM against bits per pixel on Kodak's photographs, for shipped and standard codecs",
        "Higher is better, further left is smaller: bold are the shipped codecs, dashed standard ones, marks published "
        "recurrent codecs, whose networks are 16 times as large.",
    ),
    "equal_bytes": (
        "PSNR and SSIM of images of 32x32 pixels against bytes of code, by codec",
        "Images of 32x32 pixels at equal bytes of code, headers not counted; bars are two standard errors.",
    ),
    "photograph": (
        "A photograph after 1, 2, 4, 8 and 16 passes, and the original",
        "Each pass adds what the passes before it have missed; the sizes are those of whole files.",
    ),
    "parts": (
        "PSNR of codecs trained on parts of CIFAR-10 less that of one trained on everything",
        "Above 0 is better than a codec trained on all kinds of pictures, with as many images each.",
    ),
    "classifier": (
        "Share of decoded images that a classifier names right, against bytes of code",
        "How many decoded images a small classifier names right that was trained on originals.",
    ),
    "claims_sizes": (
        "Differences in MS-SSIM that claims are about, each at a tenth of the images and at all of them",
        "Where both marks of a claim lie on the same side, the number of images does not change the answer; grey is "
        "where the claim says that they lie, and a mark without a bar is one seed.",
    ),
}
