/*
 * check.h - the whole kernel looked at, for tests
 */
#pragma once

/* Walk every structure: 0, or -L4_EINVAL and a line on the log. Takes as long as it takes, with
 * interrupts off. -L4_ENOSYS: a kernel without checks. */
long check_all(void);
