// The header of this name, for programs that look for it in lib/ beside include/.
#include <channeler/macros.h>
