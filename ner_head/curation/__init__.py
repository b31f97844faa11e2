"""Find wrong annotations, choose documents to annotate next, and estimate what more data would bring."""
