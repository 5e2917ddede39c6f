#pragma once
#include <sys/eventfd.h>
#include <zmq.h>

/* zmq.h hides this number behind its draft API; the library that Debian builds accepts it or
   answers EINVAL. */
#define ALSWEEP_ZMQ_ZAP_ENFORCE_DOMAIN 93

/* The flags are enum constants, which Swift would have to combine by raw value; the descriptor must
   close in a child's exec and never block. */
static inline int alsweep_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
