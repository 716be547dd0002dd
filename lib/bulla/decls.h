/* decls.h: what stands around the declarations of each public header: to a C++ compiler these are functions of C. */
#ifndef BULLA_DECLS_H
#define BULLA_DECLS_H

#ifdef __cplusplus
#define BULLA_DECLS_BEGIN extern "C" {
#define BULLA_DECLS_END }
#else
#define BULLA_DECLS_BEGIN
#define BULLA_DECLS_END
#endif

#endif
