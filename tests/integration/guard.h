/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test program that includes this ends before its first test, unless KUBECONFIG is that of a
 * cluster which tests may write to.  Runs from the top folder.
 */
#ifndef KHARON_INTEGRATION_GUARD_H
#define KHARON_INTEGRATION_GUARD_H

#include <stdlib.h>

__attribute__((constructor)) static void guard(void)
{
    if (system("tests/cluster/guard") != 0)
        _Exit(1);
}

#endif
