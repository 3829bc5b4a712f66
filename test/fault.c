#include "test/fault.h"

fault fault_now = {.at = FAULT_NEVER};

bool fault_strikes(void)
{
    if (!fault_now.on) {
        return false;
    }
    size_t nth = fault_now.count++;
    return fault_now.lasting ? nth >= fault_now.at : nth == fault_now.at;
}

bool fault_has_struck(void)
{
    return fault_now.count > fault_now.at;
}
