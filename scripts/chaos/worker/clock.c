/* Shifts the wall clock of one process: CHAOS_CLOCK_SHIFT seconds from the moment CHAOS_CLOCK_AT of CLOCK_MONOTONIC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);

static time_t shift(void) {
    const char *at = getenv("CHAOS_CLOCK_AT"), *by = getenv("CHAOS_CLOCK_SHIFT");
    struct timespec now;
    if (!at || !by) return 0;
    real_clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec >= atol(at) ? atol(by) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (!real_clock_gettime) real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real_clock_gettime(clock, out);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) out->tv_sec += shift();
    return answer;
}

int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
