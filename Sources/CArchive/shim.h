#pragma once
#include <archive.h>
#include <archive_entry.h>

/* The types of members are macros with a cast, which Swift does not import. */
enum {
    ALSWEEP_MEMBER_FILE = 0100000,
    ALSWEEP_MEMBER_FOLDER = 0040000,
};
