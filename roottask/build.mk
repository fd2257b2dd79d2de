roottask-y := main.c modules.c script.c elf.c memory.c services.c tasks.c env.c loader.c super.c \
    starter.c keeper.c gates.c
