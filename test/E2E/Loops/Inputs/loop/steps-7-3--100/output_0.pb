BtotalJ
s«¾úÝ·=µøc¿4ƒÄ?