#pragma once

using location = void (*)();

location unit_1();
location unit_2();
