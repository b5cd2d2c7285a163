/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that this code base does not use, each with the one to use instead.  Included before
 * every file by the build.
 */
#ifndef KHARON_BASE_BANNED_H
#define KHARON_BASE_BANNED_H

/* The standard headers that declare them come first, so that only uses fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf /* base/buf.h, snprintf */
#pragma GCC poison strtok                         /* strcspn, strsep on a copy */
#pragma GCC poison atoi atol atoll                /* strtoll with all its checks */
#pragma GCC poison localtime localtime_r mktime   /* model/time.h: everything is UTC */

#endif
