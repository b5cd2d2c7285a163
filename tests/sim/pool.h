/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory is in use, and, where it is about speed, a malloc that is quick (pool.c). */
#ifndef KHARON_SIM_POOL_H
#define KHARON_SIM_POOL_H

#include <stddef.h>

size_t pool_in_use(void); /* bytes; with sanitizers 0 */

#endif
