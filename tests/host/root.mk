host-y += test_sigma0 test_script test_elf
test_sigma0-y := test_sigma0.c ../../sigma0/request.c ../../sigma0/ram.c ../../libl4/common/buddy.c
test_script-y := test_script.c ../../roottask/script.c
test_elf-y := test_elf.c ../../roottask/elf.c
