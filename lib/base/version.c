/* version.c: the texts of bulla/version.h. Any thread. */
#include "bulla/version.h"

#include "config.h"

const char *bulla_version(void)
{
	return BULLA_API_VERSION "+bulla." PACKAGE_VERSION;
}

const char *bulla_plugin_version(void)
{
	return "v" BULLA_API_VERSION "+builtin.bulla." PACKAGE_VERSION;
}
