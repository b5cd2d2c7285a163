/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/ping.h"

#include <curl/curl.h>
#include <stdio.h>

#define PING_TIMEOUT_MS 10000L

int ping(const char *url)
{
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *curl = curl_easy_init();

    if (!curl)
        return 1;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, PING_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    fflush(stdout);
    if (result != CURLE_OK) {
        fprintf(stderr, "%s: %s\n", url, *text ? text : curl_easy_strerror(result));
        return 1;
    }
    fprintf(stderr, "\n%s: %ld\n", url, status);
    return status >= 200 && status < 300 ? 0 : 1;
}
