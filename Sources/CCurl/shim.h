#pragma once
#include <curl/curl.h>

/* curl_easy_setopt and curl_easy_getinfo are variadic, which Swift does not call: one function for
   each type of value. */
static inline CURLcode alsweep_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode alsweep_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

/* libcurl copies the text, except for CURLOPT_ERRORBUFFER, which it writes to. */
static inline CURLcode alsweep_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode alsweep_curl_set_error_buffer(CURL *handle, char *buffer) {
    return curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}

static inline CURLcode alsweep_curl_on_bytes(
    CURL *handle, size_t (*receive)(char *, size_t, size_t, void *), void *context) {
    CURLcode status = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    return status == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_WRITEDATA, context) : status;
}

static inline CURLcode alsweep_curl_on_progress(
    CURL *handle,
    int (*progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *context) {
    CURLcode status = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
    if (status == CURLE_OK) status = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
    return status == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L) : status;
}

static inline CURLcode alsweep_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode alsweep_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}
