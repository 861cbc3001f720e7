// A second file of the same program: nothing of the headers may be there twice.
#include "../lib/internal/api.h"

#include <string>

std::string other_file();

std::string other_file()
{
  channeler::byte buffer[20] = {};
  try {
    channeler::packet_wrapper const packet{buffer, sizeof buffer};
  }
  catch (channeler::exception const & ex) {
    return ex.code() == channeler::ERR_INSUFFICIENT_BUFFER_SIZE ? "throws" : ex.what();
  }
  return "takes it";
}
