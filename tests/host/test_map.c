/*
 * test_map.c - to be written
 */
int main(void)
{
    return 0;
}
