module example.org/testplugin

go 1.19
