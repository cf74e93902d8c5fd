// The header is the whole module.
#include "CPosix.h"
