"""Registers every generator."""

from casegen import ops_movement, ops_numeric, ops_pointwise, ops_pools, ops_products, ops_state, ops_weights, patterns  # noqa: F401
