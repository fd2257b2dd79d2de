host-y += test_anon test_anon_frames test_anon_index test_anon_demo
test_anon-y := test_anon.c ../../pagers/anon.c ../../pagers/pages.c ../../pagers/cow.c \
    ../../pagers/frames.c ../../pagers/pageindex.c ../../pagers/charge.c
test_anon-cflags := -Ilibl4/include
test_anon_frames-y := test_anon_frames.c ../../pagers/frames.c
test_anon_index-y := test_anon_index.c ../../pagers/pageindex.c
test_anon_demo-y := test_anon_demo.c ../../examples/sort/sha256.c ../../examples/sort/records.c
