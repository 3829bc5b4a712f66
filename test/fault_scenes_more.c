#include "test/fault_play.h"

const fault_scene fault_scenes_more[] = {{.label = NULL}};
