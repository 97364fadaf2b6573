"""See and explain what SGD does in a neural network's loss landscape.

The stages, each a package of its own and each importing only from the ones before it::

    from landscape import problem, store, sgd, curvature, plane, scan, diagnose, draw

``problem`` is what is minimised, ``store`` the files, ``sgd`` trains and records, ``curvature`` has
Hessian products, ``plane`` chooses directions in weight space, ``scan`` measures the loss on them,
``diagnose`` says what SGD did, ``draw`` makes figures.
Importing ``landscape`` itself imports none of them (nor torch).
"""

__version__ = "0.1.0"
