BfirstJžž¹?
F
¿’¯À