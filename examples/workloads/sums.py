"""A module whose function is the workload: the fields of params are its arguments."""


def total(numbers, unit=""):
    print(f"{sum(numbers)} {unit}".strip())
