"""What both adapters offer beside the mux itself: profiles of its members, and comparisons with other methods."""
