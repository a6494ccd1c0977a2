"""The page: what people see at `/`, in Python with NiceGUI."""
