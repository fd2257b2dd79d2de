sigma0-y := main.c request.c service.c ram.c device.c account.c quota.c pool.c \
    ../libl4/common/buddy.c
