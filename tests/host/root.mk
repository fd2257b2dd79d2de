host-y += test_sigma0 test_script test_elf
sigma0-sources := $(addprefix ../../sigma0/,request.c service.c ram.c device.c account.c quota.c \
    pool.c check.c) ../../libl4/common/buddy.c
test_sigma0-y := test_sigma0.c $(sigma0-sources)
test_script-y := test_script.c ../../roottask/script.c
test_elf-y := test_elf.c ../../roottask/elf.c
host-y += test_reserve test_no_reserve test_ram test_service
test_reserve-y := test_reserve.c $(sigma0-sources)
test_no_reserve-y := $(test_reserve-y)
test_no_reserve-cflags := -DRAM_RESERVE=0
test_ram-y := test_ram.c $(sigma0-sources)
test_service-y := test_service.c $(sigma0-sources)
