sigma0-y := main.c request.c ram.c ../libl4/common/buddy.c
