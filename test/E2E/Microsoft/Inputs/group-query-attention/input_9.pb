BsinkJTð¶¿kB-¿
‹Ž?W=¿