/* t_nn_amx_net.c -- run: long limit=600 nosan : resnet18 by the AMX kernels against PyTorch float64, with the model and the bounds of
 * t_nn_net.c. */
#define ONLY_AMX 1
#include "t_nn_net.c"
