"""The span model: find the expansion by a softmax over all candidate spans, then read the class from the bars around it."""
