/*
 * l4/re/protocols.h - labels of the user-level protocols (abi/protocols.h)
 */
#pragma once

#include <abi/protocols.h>
