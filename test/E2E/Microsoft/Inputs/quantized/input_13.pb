BqzJ
