/* The whole C API, and in C++ what the reference's own <channeler/channeler.h> has. */
#ifndef CHANNELER_CHANNELER_H
#define CHANNELER_CHANNELER_H

#include "../channeler.h"

#ifdef __cplusplus
#include <bitset>
#include <cstring>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "byte.h"
#include "error.h"
#include "version.h"
#endif

#endif
