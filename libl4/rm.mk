rm-y := src/rm/main.c src/rm/fault.c src/rm/service.c src/rm/report.c src/rm/memory.c \
    src/rm/region.c src/rm/worker.c src/rm/pending.c src/rm/section.c
libl4-y += src/re_ds.c src/re_rm.c src/re_ma.c src/re_copy.c
