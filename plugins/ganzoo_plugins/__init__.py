"""The plugins that come with ganzoo. Each reads like a third party's: a light ``__init__`` and its torch modules."""
